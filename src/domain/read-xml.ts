import type { XmlElement } from './xml-element.js';

/** Why a text is not a well-formed document, and on which line (from 1). */
export class XmlSyntaxError extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.name = 'XmlSyntaxError';
    this.line = line;
  }
}

// The limit of libxml2, by which libvirt reads the same documents.
const maxDepth = 256;

const nameStart =
  ':A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D' +
  '\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}';
const name = `[${nameStart}][-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040${nameStart}]*`;

const forbiddenCharacter = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;
const declaration =
  /<\?xml\s+version\s*=\s*["']1\.[0-9]["'](?:\s+encoding\s*=\s*["'](?:utf-8|us-ascii)["'])?(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>/iy;
const space = /\s*/y;
const openTag = new RegExp(`<(${name})`, 'uy');
const closeTag = new RegExp(`</(${name})\\s*>`, 'uy');
const attribute = new RegExp(`\\s+(${name})\\s*=\\s*(?:"([^"<]*)"|'([^'<]*)')`, 'uy');
const tagEnd = /\s*(\/?)>/y;
const reference = /&(?:#x([0-9a-fA-F]{1,8})|#([0-9]{1,8})|(lt|gt|amp|quot|apos));|&/g;
const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/**
 * Reads a document strictly, for xmlbuilder2's own parser accepts tags that do not match, drops forbidden
 * characters in silence, decodes `&amp;lt;` twice and takes seven times as long. A DOCTYPE is refused, so
 * there are no entities to expand and no files to include.
 * @throws XmlSyntaxError
 */
export function readXml(xml: string): XmlElement {
  return new XmlReader(xml.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')).readDocument();
}

class XmlReader {
  readonly #xml: string;
  readonly #open: XmlElement[] = [];
  #at = 0;

  constructor(xml: string) {
    this.#xml = xml;
  }

  readDocument(): XmlElement {
    const forbidden = forbiddenCharacter.exec(this.#xml);
    if (forbidden !== null) {
      this.#at = forbidden.index;
      this.#fail('a character that XML does not allow');
    }
    if (this.#xml.startsWith('<?xml') && this.#take(declaration) === null) {
      this.#fail('an XML declaration other than version 1.x in UTF-8');
    }
    this.#skipBetween();
    if (this.#xml[this.#at] !== '<') this.#fail('there is no root element');
    const root = this.#readOpenTag();
    while (this.#open.length > 0) this.#readContent();
    this.#skipBetween();
    if (this.#at < this.#xml.length) this.#fail('something follows the root element');
    return root;
  }

  #readContent(): void {
    const start = this.#xml.indexOf('<', this.#at);
    if (start < 0) this.#fail(`<${this.#open.at(-1)?.name ?? ''}> is not closed`);
    if (start > this.#at) {
      const text = this.#xml.slice(this.#at, start);
      if (text.includes(']]>')) this.#fail('"]]>" in text');
      this.#addText(this.#decode(text));
      this.#at = start;
    }
    if (this.#xml.startsWith('</', start)) this.#readCloseTag();
    else if (this.#xml.startsWith('<![CDATA[', start)) this.#addText(this.#skipPast('<![CDATA[', ']]>'));
    else if (!this.#skipComment()) this.#readOpenTag();
  }

  #readOpenTag(): XmlElement {
    const tag = this.#take(openTag);
    if (tag === null) this.#fail('"<" does not begin a tag');
    const element: XmlElement = { name: tag[1] ?? '', attributes: new Map(), children: [] };
    for (let found = this.#take(attribute); found !== null; found = this.#take(attribute)) {
      const key = found[1] ?? '';
      if (element.attributes.has(key)) this.#fail(`the attribute "${key}" stands twice in <${element.name}>`);
      const value = found[2] ?? found[3] ?? '';
      element.attributes.set(key, this.#decode(value.replace(/[\t\n]/g, ' ')));
    }
    const end = this.#take(tagEnd);
    if (end === null) this.#fail(`the tag <${element.name} is malformed`);
    this.#open.at(-1)?.children.push(element);
    if (end[1] !== '/' && this.#open.push(element) > maxDepth) this.#fail('elements are nested too deep');
    return element;
  }

  #readCloseTag(): void {
    const tag = this.#take(closeTag);
    const element = this.#open.pop();
    if (tag?.[1] === undefined || tag[1] !== element?.name) {
      this.#fail(`<${element?.name ?? ''}> is not closed where another tag closes`);
    }
    if (element.children.some((child) => typeof child !== 'string')) {
      element.children = element.children.filter((child) => typeof child !== 'string' || /\S/.test(child));
    }
  }

  #addText(text: string): void {
    const children = this.#open.at(-1)?.children ?? [];
    const last = children.at(-1);
    // One run of text, however many comments and CDATA sections cut it.
    if (typeof last === 'string') children[children.length - 1] = last + text;
    else children.push(text);
  }

  #skipBetween(): void {
    do this.#take(space);
    while (this.#skipComment());
  }

  /** Comments and processing instructions; also where a DOCTYPE is met. */
  #skipComment(): boolean {
    if (this.#xml.startsWith('<!--', this.#at)) {
      this.#skipPast('<!--', '--');
      if (this.#xml[this.#at] !== '>') this.#fail('"--" inside a comment');
      this.#at += 1;
    } else if (this.#xml.startsWith('<?', this.#at)) {
      if (/^<\?xml\s/i.test(this.#xml.slice(this.#at, this.#at + 6)))
        this.#fail('an XML declaration inside the document');
      this.#skipPast('<?', '?>');
    } else if (this.#xml.startsWith('<!', this.#at)) {
      this.#fail('a DOCTYPE or other declaration, which could define entities');
    } else return false;
    return true;
  }

  #skipPast(begin: string, end: string): string {
    const from = this.#at + begin.length;
    const to = this.#xml.indexOf(end, from);
    if (to < 0) this.#fail(`"${begin}" without "${end}"`);
    this.#at = to + end.length;
    return this.#xml.slice(from, to);
  }

  #decode(text: string): string {
    if (!text.includes('&')) return text;
    return text.replace(reference, (whole, hex?: string, decimal?: string, entity?: string) => {
      if (entity !== undefined) return entities[entity] ?? '';
      const code = hex === undefined ? Number.parseInt(decimal ?? '', 10) : Number.parseInt(hex, 16);
      const character = code <= 0x10ffff ? String.fromCodePoint(code) : '\0';
      if (Number.isNaN(code) || forbiddenCharacter.test(character)) {
        this.#fail(`"${whole}" is not a character or an entity of XML`);
      }
      return character;
    });
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#xml);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #fail(message: string): never {
    throw new XmlSyntaxError(message, this.#xml.slice(0, this.#at).split('\n').length);
  }
}
