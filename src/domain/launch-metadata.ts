import type { DomainMetadata } from './domain-spec.js';
import {
  attributeOf,
  createElement,
  findElement,
  listElements,
  textOf,
  type XmlElement,
} from './xml-element.js';

/** The namespace of what `launch` writes into a domain; another version of its form gets another number. */
const metadataNamespace = 'urn:launch:instance:1.0';

export function renderMetadata(metadata: DomainMetadata): XmlElement {
  return createElement(
    'launch:instance',
    { 'xmlns:launch': metadataNamespace },
    createElement('launch:name', {}, metadata.displayName),
    createElement('launch:flavor', {}, metadata.flavorName),
    createElement('launch:image', { id: metadata.imageId }, metadata.imageName),
    createElement('launch:created', {}, metadata.createdAt),
    createElement('launch:version', {}, metadata.launchVersion),
  );
}

/** Undefined when the domain is not one of ours. */
export function parseMetadata(domain: XmlElement): DomainMetadata | undefined {
  const ours = findOurs(domain);
  if (ours === undefined) return undefined;
  const { element, prefix } = ours;
  const find = (name: string): XmlElement | undefined => findElement(element, `${prefix}${name}`);
  return {
    displayName: textOf(find('name')) ?? '',
    flavorName: textOf(find('flavor')) ?? '',
    imageId: attributeOf(find('image'), 'id') ?? '',
    imageName: textOf(find('image')) ?? '',
    createdAt: textOf(find('created')) ?? '',
    launchVersion: textOf(find('version')) ?? '',
  };
}

export function isOurMetadata(element: XmlElement, metadata: XmlElement, domain: XmlElement): boolean {
  const [prefix] = splitName(element.name);
  const declaration = prefix === '' ? 'xmlns' : `xmlns:${prefix.slice(0, -1)}`;
  const scopes = [element, metadata, domain].map((scope) => attributeOf(scope, declaration));
  return scopes.find((namespace) => namespace !== undefined) === metadataNamespace;
}

function findOurs(domain: XmlElement): { element: XmlElement; prefix: string } | undefined {
  const metadata = findElement(domain, 'metadata');
  for (const element of listElements(metadata)) {
    const [prefix, localName] = splitName(element.name);
    if (metadata !== undefined && localName === 'instance' && isOurMetadata(element, metadata, domain)) {
      return { element, prefix };
    }
  }
  return undefined;
}

/** `launch:instance` as [`launch:`, `instance`]. */
function splitName(name: string): [string, string] {
  const colon = name.indexOf(':') + 1;
  return [name.slice(0, colon), name.slice(colon)];
}
