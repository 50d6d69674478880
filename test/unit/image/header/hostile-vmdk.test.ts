import { hostileVmdkFiles } from '../../../support/hostile-images/vmdk.js';
import { testHostileFiles } from './judged-file.js';

testHostileFiles('hostile VMDK files are refused', hostileVmdkFiles);
