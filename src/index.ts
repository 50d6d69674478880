export { LaunchError, type LaunchErrorCode } from './host/launch-error.js';
export type { Work, WorkEvent } from './host/work.js';
export { openHost, type Host, type HostOptions } from './instance/open-host.js';
export { clearLeftovers } from './instance/clear-leftovers.js';

export {
  exportImage,
  importImageFile,
  inspectImage,
  removeImage,
  renameImageTo,
  streamImage,
  verifyStoredImage,
  type BaseInspection,
  type ExportedImage,
  type ImageInspection,
  type RemovedImage,
} from './instance/image-verbs.js';
export {
  ensureImage,
  listCatalogue,
  updateImage,
  type CatalogueListing,
  type UpdatedImage,
} from './instance/catalogue-verbs.js';
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
export { followConsoleLog, readConsoleLog, waitForConsole } from './guest/console-log.js';
export { listTemplates, loadTemplate } from './domain/template.js';
export { listBaseReports, verifyBases, type BaseFinding, type BaseReport } from './instance/base-verbs.js';
export { prefetchBase, type PrefetchedBase, type PrefetchRequest } from './instance/prefetch-base.js';
export { pruneBases, type PrunedBase, type PruneReport } from './instance/prune-bases.js';
export { measureStorage, type StorageItem, type StorageReport } from './instance/measure-storage.js';
export { diagnoseStorage, type StorageDiagnosis } from './instance/measure-storage-needs.js';
