/** One word that a POSIX shell (and fish and csh) reads back as exactly this text. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * What the guest's shell is given for a command line. Several words stay the words that they are; one alone
 * is the shell's own language, as with ssh: `'cd /srv && ls'`.
 */
export function remoteCommandLine(words: readonly string[]): string {
  const [first = '', ...others] = words;
  return others.length === 0 ? first : words.map(quoteWord).join(' ');
}
