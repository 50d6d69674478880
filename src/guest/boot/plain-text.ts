/** What a serial console printed, without what only moves a cursor or sets a colour. */
function withoutEscapes(text: string): string {
  return text
    .replaceAll(/\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, '')
    .replaceAll(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b[()][0-9A-Z]|\u001b[=>c78]/g, '');
}

/** One line as a person would see it: no escapes, no control characters, no blanks at its end. */
export function plainLine(line: string): string {
  return withoutEscapes(line)
    .replaceAll(/\p{Cc}/gu, '')
    .trimEnd();
}

/** The last lines that have text. */
export function lastLines(text: string, count: number): readonly string[] {
  return withoutEscapes(text)
    .split(/\r?\n|\r/)
    .map(plainLine)
    .filter((line) => line !== '')
    .slice(-count);
}
