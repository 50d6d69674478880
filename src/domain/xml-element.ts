/** One element of a document in memory. Prefixes stay part of the name; comments are not kept. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Map<string, string>;
  /** Elements and text in their order; white space between elements is not kept. */
  children: (XmlElement | string)[];
}

export function createElement(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (XmlElement | string)[]
): XmlElement {
  return { name, attributes: new Map(Object.entries(attributes)), children };
}

export function listElements(parent: XmlElement | undefined, name?: string): XmlElement[] {
  const elements: XmlElement[] = [];
  for (const child of parent?.children ?? []) {
    if (typeof child !== 'string' && (name === undefined || child.name === name)) elements.push(child);
  }
  return elements;
}

/** The first element at the end of a path of names: `findElement(domain, 'os', 'type')`. */
export function findElement(parent: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  let element = parent;
  for (const name of path) {
    element = element?.children.find((child): child is XmlElement => {
      return typeof child !== 'string' && child.name === name;
    });
  }
  return element;
}

/** The text directly inside an element, as it stands. */
export function textOf(element: XmlElement | undefined): string | undefined {
  return element?.children.filter((child) => typeof child === 'string').join('');
}

export function attributeOf(element: XmlElement | undefined, name: string): string | undefined {
  return element?.attributes.get(name);
}
