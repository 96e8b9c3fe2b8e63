import type { ProcessIdentity } from '../archive/ring-keeper.ts';
import { parseJson, stringifyJson } from '../format/json.ts';
import { asObject, integerField, stringField } from '../format/json-fields.ts';
import type { ProcessMark } from '../repository/claim-record.ts';
import { ownProcess, stateOfProcess } from './process-mark.ts';

/** This process for those who keep to one at a time; `undefined` where the system does not tell. */
export function processIdentity(): ProcessIdentity | undefined {
  const own = ownProcess();
  if (own === undefined) return undefined;
  return {
    mark: stringifyJson({ ...own }),
    // A mark that cannot be read is a dead process's, and so is one from before the last boot.
    isGone: (text) => {
      const mark = parseMark(text);
      if (mark === undefined || mark.bootId !== own.bootId) return true;
      return stateOfProcess(mark) === 'gone';
    },
  };
}

function parseMark(text: string): ProcessMark | undefined {
  const what = 'process mark';
  try {
    const o = asObject(parseJson(text, { what }), what);
    return {
      pid: integerField(o, 'pid', what),
      startTicks: stringField(o, 'startTicks', what),
      bootId: stringField(o, 'bootId', what),
      pidNamespace: stringField(o, 'pidNamespace', what),
    };
  } catch {
    return undefined;
  }
}
