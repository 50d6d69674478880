/** What is used of the node binding; the bundle leaves the rest of the package out. */
export { DomainGetXMLDescFlags, Hypervisor } from '@unraid/libvirt';
