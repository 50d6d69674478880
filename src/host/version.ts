/** The version of this program, as in package.json. */
export const launchVersion = '0.1.0';
