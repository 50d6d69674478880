import { create } from 'xmlbuilder2';

import type { XmlElement } from './xml-element.js';

type Builder = ReturnType<typeof create>;

/** The document as text, two spaces a level, without an XML declaration, ending in a line feed. */
export function writeXml(root: XmlElement): string {
  const document = create();
  append(document, root);
  return `${document.end({ headless: true, prettyPrint: true, indent: '  ' })}\n`;
}

function append(parent: Builder, element: XmlElement): void {
  const builder = parent.ele(element.name);
  for (const [name, value] of element.attributes) builder.att(name, escapeAttribute(value));
  for (const child of element.children) {
    if (typeof child === 'string') builder.txt(escapeText(child));
    else append(builder, child);
  }
}

// xmlbuilder2 leaves alone whatever looks like a reference: a guest named "&lt;" would come out as "<", and
// "&x;" as a document that nobody can read. Escaped before, a reference is what each ampersand is.
function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('\r', '&#13;');
}

// A bare line break in an attribute reads as a space.
function escapeAttribute(value: string): string {
  return escapeText(value).replaceAll('\n', '&#10;').replaceAll('\t', '&#9;');
}
