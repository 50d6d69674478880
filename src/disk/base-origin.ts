/** How a base came to who asked for it: `shared` is one of another size, which the overlay makes up for. */
export type BaseOrigin = 'found' | 'converted' | 'reflinked' | 'shared';

/** The same for people. */
export const baseOriginWords: Readonly<Record<BaseOrigin, string>> = {
  found: 'there already',
  shared: 'there already, for another size',
  converted: 'converted',
  reflinked: 'a clone that shares its blocks',
};
