import { describe, expect, it } from 'vitest';

import { readXml, XmlSyntaxError } from '../../../src/domain/read-xml.js';
import { attributeOf, findElement, textOf } from '../../../src/domain/xml-element.js';

describe('readXml', () => {
  it('reads elements, attributes, text, references and CDATA', () => {
    const root = readXml(
      `<?xml version='1.0' encoding="UTF-8"?>\n<!-- c --><a x = "1&#x41;" y='"&lt;'>\n <b>p&amp;lt;<!-- cut -->q<![CDATA[<z>&]]></b>\n <c/></a>\n`,
    );
    expect(attributeOf(root, 'x')).toBe('1A');
    expect(attributeOf(root, 'y')).toBe('"<');
    expect(textOf(findElement(root, 'b'))).toBe('p&lt;q<z>&');
    expect(root.children).toHaveLength(2);
  });

  it('keeps white space that is the whole content of an element', () => {
    expect(textOf(readXml('<a>  </a>'))).toBe('  ');
  });

  it('normalizes line ends, and line breaks in attributes as XML says', () => {
    const root = readXml('<a x="1\r\n2&#10;3">b\r\nc\rd</a>');
    expect(attributeOf(root, 'x')).toBe('1 2\n3');
    expect(textOf(root)).toBe('b\nc\nd');
  });

  it.each([
    ['', 'no root', 1],
    ['text', 'no root', 1],
    ['<a>\n<b></a>', '<b> is not closed', 2],
    ['<a>', '<a> is not closed', 1],
    ['<a/><b/>', 'follows the root', 1],
    ['<a b=c/>', 'malformed', 1],
    ['<a b="<"/>', 'malformed', 1],
    ["<a b='1'\nb='2'/>", 'stands twice', 2],
    ['<a>&bogus;</a>', '"&"', 1],
    ['<a>&#0;</a>', 'not a character', 1],
    ['<a>&#xD800;</a>', 'not a character', 1],
    ['<a>&#x110000;</a>', 'not a character', 1],
    ['<a>\n\u0001</a>', 'not allow', 2],
    ['<a>\uD800</a>', 'not allow', 1],
    ['<a>]]></a>', ']]>', 1],
    ['<a><!-- -- --></a>', '"--" inside', 1],
    ['<a><![CDATA[</a>', 'without', 1],
    ['<!DOCTYPE a><a/>', 'DOCTYPE', 1],
    ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<a>&x;</a>', 'DOCTYPE', 1],
    ['<a><!ENTITY x "y"></a>', 'DOCTYPE', 1],
    ['<?xml version="1.0" encoding="UTF-16"?><a/>', 'declaration', 1],
    ['<a><?xml version="1.0"?></a>', 'declaration', 1],
    ['<a>'.repeat(300), 'too deep', 1],
  ])('refuses %j', (xml, why, line) => {
    const error = catchError(() => readXml(xml));
    expect(error).toBeInstanceOf(XmlSyntaxError);
    expect(error).toMatchObject({ line });
    expect(String(error)).toContain(why);
  });

  it('takes no more than linear time over hostile input', () => {
    const before = performance.now();
    for (const xml of [
      `<a${' '.repeat(1e6)}`,
      `<a>${'&'.repeat(1e6)}</a>`,
      `<a ${'b'.repeat(1e6)}`,
      `<a>${'<!---->'.repeat(1e5)}</a>`,
      `<a>${'<b/>'.repeat(2e5)}`,
    ]) {
      catchError(() => readXml(xml));
    }
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

function catchError(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
