export { LaunchError, type LaunchErrorCode } from './host/launch-error.js';
export type { Work, WorkEvent } from './host/work.js';
export { openHost, type Host, type HostOptions, type HostUser } from './instance/open-host.js';
export { clearLeftovers } from './instance/clear-leftovers.js';

export {
  importImageFile,
  inspectImage,
  removeImage,
  renameImageTo,
  verifyStoredImage,
  type BaseInspection,
  type ImageInspection,
  type RemovedImage,
} from './instance/images/image-verbs.js';
export {
  exportImage,
  streamImage,
  type ExportedImage,
  type ExportOptions,
} from './instance/images/export-image.js';
export type { ExportFormat } from './image/export/export-format.js';
export {
  ensureImage,
  listCatalogue,
  updateImage,
  type CatalogueListing,
  type UpdatedImage,
} from './instance/images/catalogue-verbs.js';
export { getImage, listImages, type DamagedImage, type ImageListing } from './image/image-store.js';
export type { ImageRecord } from './image/image-record.js';
export type { ImportRequest } from './image/import-image.js';
export type { ImageSource } from './image/image-source.js';
export { defaultFetching, type Fetching } from './image/fetch/download.js';
export { httpTransport, type Transport } from './image/fetch/transport.js';
export type { Verification } from './image/trust/verification.js';
export type { DiskFormat } from './qemu-img/disk-format.js';

export { getFlavor, listFlavors, type FlavorListing } from './flavor/flavor-store.js';
export type { Flavor } from './flavor/flavor.js';
export { addFlavor, dropFlavor } from './instance/flavor-verbs.js';

export {
  launchInstance,
  previewLaunch,
  type LaunchedInstance,
  type LaunchPreview,
} from './instance/launch-instance.js';
export type { LaunchPlan, LaunchRequest, WaitFor } from './instance/plan-launch.js';
export type { NetworkRequest, PublishedPort } from './instance/networks/plan-interfaces.js';
export type { DomainInterface, PortForward } from './domain/domain-spec.js';
export type { SeedRequest, SeededFile, SeedKind } from './instance/seed/plan-seed.js';
export { showSeed, type ShownDocument, type ShownSeed } from './instance/seed/show-seed.js';
export { waitForInstances, type WaitedInstance } from './instance/readiness/wait-instances.js';
export { waitReady, type WaitReadyOptions } from './instance/readiness/wait-ready.js';
export type { ReadyGuest } from './instance/readiness/ready-guest.js';
export type { ReachedStage, Stage } from './guest/boot/stage.js';
export type { Cause, Cure } from './guest/autopsy/diagnosis.js';
export { findAddresses, type GuestAddress } from './instance/readiness/guest-addresses.js';
export { findSshEndpoint } from './instance/readiness/ssh-endpoint.js';
export { getInstance } from './instance/find-instance.js';
export type { InstanceRecord } from './instance/instance-record.js';
export {
  listInstances,
  viewInstance,
  type InstanceStatus,
  type InstanceView,
} from './instance/list-instances.js';
export {
  pauseInstance,
  rebootInstance,
  resumeInstance,
  startInstance,
  stopInstance,
  type ChangedInstance,
} from './instance/change-state.js';
export { deleteInstance, type DeletedInstance } from './instance/delete-instance.js';
export {
  inspectDomain,
  type ChainReport,
  type DiskReport,
  type DomainInspection,
} from './instance/inspect-domain.js';
export { followConsoleLog, readConsoleLog, waitForConsole } from './guest/boot/console-log.js';
export { listTemplates, loadTemplate } from './domain/template.js';
export {
  listBaseReports,
  verifyBases,
  type BaseFinding,
  type BaseReport,
} from './instance/bases/base-verbs.js';
export { prefetchBases, type PrefetchedBase, type PrefetchRequest } from './instance/bases/prefetch-base.js';
export { pruneBases, type PrunedBase, type PruneReport } from './instance/bases/prune-bases.js';
export { measureStorage, type StorageItem, type StorageReport } from './instance/bases/measure-storage.js';
export { diagnoseStorage, type StorageDiagnosis } from './instance/bases/measure-storage-needs.js';
export {
  examineHost,
  type AppliedFix,
  type CheckReport,
  type ExamineRequest,
  type HealthReport,
} from './instance/doctor/examine-host.js';
export { execInGuest, type ExecOutcome, type ExecRequest } from './instance/login/exec-in-guest.js';
export {
  copyFiles,
  type CopiedFiles,
  type CopyPlace,
  type CopyRequest,
} from './instance/login/copy-files.js';
export { openGuestLogin, type GuestLogin, type LoginRequest } from './instance/login/guest-login.js';
export { runSshSession, type SessionOptions } from './instance/login/ssh-session.js';
export { findGraphics, type GuestGraphics } from './instance/login/guest-graphics.js';
export { installSshConfig, renderSshConfig, type SshConfigPaths } from './instance/login/ssh-config-file.js';
