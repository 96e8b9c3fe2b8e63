import { parseJson, stringifyJson, type JsonValue } from '../format/json.ts';
import { accept, reject, type Kind } from './kinds.ts';

/** A JSON document; its 64-bit integers stay whole. */
export const json: Kind<JsonValue> = {
  name: 'JSON',
  parse: (text) => {
    try {
      return accept(parseJson(text, { what: 'the value' }));
    } catch {
      return reject('a JSON document such as {"owner":"billing"}');
    }
  },
  format: (value) => stringifyJson(value),
};
