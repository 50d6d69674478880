import { LaunchError } from '../host/launch-error.js';
import { readXml, XmlSyntaxError } from './read-xml.js';
import { findElement, textOf, type XmlElement } from './xml-element.js';

export const maxTemplateBytes = 1024 * 1024;

/**
 * A template's document, checked at the door: well-formed, no DOCTYPE (so no entities), a `<domain>` with a
 * system of type hvm. What libvirt makes of the rest, libvirt says when the domain is defined.
 * @throws LaunchError TEMPLATE_INVALID, naming the file if it came from one
 */
export function readTemplate(xml: string, path?: string): XmlElement {
  if (Buffer.byteLength(xml) > maxTemplateBytes) throw invalid(path, 'it is larger than 1 MiB');
  const domain = readDocument(xml, path);
  if (domain.name !== 'domain') throw invalid(path, `its root is <${domain.name}>, not <domain>`);
  const type = findElement(domain, 'os', 'type');
  if (type === undefined) throw invalid(path, 'it has no <os> with a <type>');
  const osType = textOf(type)?.trim() ?? '';
  if (osType !== 'hvm') throw invalid(path, `its <os> has the type "${osType}", not "hvm"`);
  return domain;
}

/** The error for a template that cannot be used, whatever the reason. */
export function invalid(path: string | undefined, why: string, cause?: unknown): LaunchError {
  const quoted = path === undefined ? '' : ` ${JSON.stringify(path)}`;
  return new LaunchError('TEMPLATE_INVALID', `cannot use the template${quoted}: ${why}`, {
    hint: `ask libvirt about it:  virsh -c test:///default define --validate ${path ?? 'FILE'}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

function readDocument(xml: string, path: string | undefined): XmlElement {
  try {
    return readXml(xml);
  } catch (error) {
    if (!(error instanceof XmlSyntaxError)) throw error;
    throw invalid(path, `line ${error.line}: ${error.message}`, error);
  }
}
