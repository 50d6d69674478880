import { checkLoginUser, type SshEndpoint } from '../../guest/ssh/ssh-options.js';
import { getImage } from '../../image/image-store.js';
import { writeFileAtomic } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { asMaker } from '../../host/maker.js';
import { renderRecord } from '../../host/record.js';
import type { Work } from '../../host/work.js';
import { withInstanceLock } from '../instance-lock.js';
import { findRecordIn, type InstanceRecord } from '../instance-record.js';
import { tryLogin } from '../readiness/login-probe.js';
import type { Host } from '../open-host.js';

/** As which user to log in, where that is known: the record, then what the image says of itself. */
export async function findLoginUser(host: Host, instance: InstanceRecord): Promise<string | undefined> {
  if (instance.login.user !== null) return instance.login.user;
  const image = await getImage(host.home, instance.image.id).catch((error: unknown) => {
    // The image may be gone: its instances live on.
    if (error instanceof LaunchError) return undefined;
    throw error;
  });
  const user = image?.properties['os_admin_user'];
  return user === undefined ? undefined : checkLoginUser(user);
}

/**
 * Finds out by asking: distributions' images with cloud-init answer root with the name of the user that is
 * meant. What is learned is kept in the record. Where the answer says nothing it is root, and ssh itself
 * will tell why that does not work.
 */
export async function learnLoginUser(
  host: Host,
  instance: InstanceRecord,
  endpoint: SshEndpoint,
  work: Work = {},
): Promise<string> {
  const signal = work.signal ?? new AbortController().signal;
  const { outcome, advised } = await tryLogin(host, instance, endpoint, { user: 'root', signal });
  const user = advised ?? 'root';
  if (advised !== undefined || outcome === 'accepted') await rememberLoginUser(host, instance, user, work);
  return user;
}

async function rememberLoginUser(
  host: Host,
  { domainName, uuid }: InstanceRecord,
  user: string,
  work: Work,
): Promise<void> {
  await withInstanceLock(host, domainName, 'logging in', work, async () => {
    const paths = host.home.instance(domainName);
    const record = await findRecordIn(paths.directory);
    // It may have been deleted, or told otherwise, while we asked.
    if (record?.uuid !== uuid || record.login.user !== null) return;
    const learned = { ...record, login: { ...record.login, user } };
    await asMaker(host.home, (maker) => writeFileAtomic(paths.record, renderRecord(learned), maker));
  });
}
