import { hostileQcow2Files } from '../../../support/hostile-images/qcow2.js';
import { testHostileFiles } from './judged-file.js';

testHostileFiles('hostile qcow2 files are refused', hostileQcow2Files);
