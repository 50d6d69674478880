import {
  hostileVdiFiles,
  hostileVhdxFiles,
  hostileVpcFiles,
} from '../../../support/hostile-images/vdi-vpc-vhdx.js';
import { testHostileFiles } from './judged-file.js';

testHostileFiles('hostile VDI files are refused', hostileVdiFiles);
testHostileFiles('hostile VHD files are refused', hostileVpcFiles);
testHostileFiles('hostile VHDX files are refused', hostileVhdxFiles);
