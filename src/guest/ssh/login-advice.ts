/**
 * What cloud-init's entry for root in authorized_keys answers (disable_root): `Please login as the user
 * "debian" rather than the user "root".` A guest may say anything, so only a plain name is taken.
 */
export function parseLoginAdvice(text: string): string | undefined {
  const [, name] =
    /Please login as the user "([a-z_][a-z0-9_-]{0,31})" rather than the user "root"/.exec(text) ?? [];
  return name;
}
