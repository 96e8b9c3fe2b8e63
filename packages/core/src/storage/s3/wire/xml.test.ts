import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { childrenOf, encodeXml, parseXml, textIn } from './xml.ts';

const LISTING = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <IsTruncated>false</IsTruncated><Prefix/><!-- <Contents> -->
  <Contents><Key>a&amp;b &#x20ac;&#10;</Key><Owner a="&gt;" b='>'></Owner></Contents>
  <s3:Contents><Key><![CDATA[<c>&amp;]]></Key></s3:Contents>
</ListBucketResult>
`;

describe('an answer in XML', () => {
  it('is read with its entities, sections, prefixes and whatever means nothing', () => {
    const root = parseXml(LISTING);
    assert.ok(root !== undefined);
    assert.equal(root.name, 'ListBucketResult');
    assert.equal(textIn(root, 'IsTruncated'), 'false');
    assert.equal(textIn(root, 'Prefix'), '');
    assert.equal(textIn(root, 'Marker'), undefined);
    const keys = childrenOf(root, 'Contents').map((each) => textIn(each, 'Key'));
    assert.deepEqual(keys, ['a&b €\n', '<c>&amp;']);
  });

  it('that was cut anywhere is not one', () => {
    const text = LISTING.trimEnd();
    for (let end = 0; end < text.length; end += 1) {
      assert.equal(parseXml(text.slice(0, end)), undefined, text.slice(0, end));
    }
  });

  it('must be one element and nothing else', () => {
    const others = ['', 'text', '<a>', '</a>', '<a></b>', '<a><b></a></b>', '<a/><b/>', '<a/>x'];
    for (const text of [...others, '<!DOCTYPE html><html></html>', '<a b="></a>', '{"a":1}']) {
      assert.equal(parseXml(text), undefined, text);
    }
  });

  it('that is deeper than any of S3 is refused, however long', () => {
    assert.equal(parseXml('<a>'.repeat(100_000)), undefined);
    assert.equal(parseXml(`${'<a>'.repeat(20)}${'</a>'.repeat(20)}`), undefined);
    assert.equal(parseXml(`<a>${'<b '.repeat(100_000)}`), undefined);
  });

  it('gives back every text that was encoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const root = parseXml(`<a><b>${encodeXml(text)}</b></a>`);
        assert.equal(root && textIn(root, 'b'), text);
      }),
    );
  });
});
