/** A range of IPv4 addresses, by their numbers, both ends in it. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** undefined for what is no IPv4 address. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The addresses of a subnet such as `192.168.122.0/24`; the host's bits may be set. */
export function parseSubnet(text: string): AddressRange | undefined {
  const [address = '', prefix = '32'] = text.split('/');
  const number = parseAddress(address);
  const length = Number(prefix);
  if (number === undefined || !Number.isInteger(length) || length < 0 || length > 32) return;
  const size = 2 ** (32 - length);
  const first = Math.floor(number / size) * size;
  return { first, last: first + size - 1 };
}

/** The length of a netmask such as `255.255.255.0`. */
export function prefixOf(netmask: string): number | undefined {
  const number = parseAddress(netmask);
  if (number === undefined) return undefined;
  const bits = number.toString(2).padStart(32, '0');
  if (!/^1*0*$/.test(bits)) return undefined;
  return bits.includes('0') ? bits.indexOf('0') : 32;
}

export function overlap(one: AddressRange, other: AddressRange): boolean {
  return one.first <= other.last && other.first <= one.last;
}

export function contains(range: AddressRange, address: number): boolean {
  return range.first <= address && address <= range.last;
}
