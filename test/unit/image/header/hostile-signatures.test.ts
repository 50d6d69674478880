import {
  filesOfBannedFormats,
  filesOfTwoFormats,
  filesOtherThanDeclared,
  filesThatAreNoDisks,
} from '../../../support/hostile-images/signatures.js';
import { testHostileFiles } from './judged-file.js';

testHostileFiles('a file of two formats is refused', filesOfTwoFormats);
testHostileFiles('a file that is not what it was declared as is refused', filesOtherThanDeclared);
testHostileFiles('a banned format is refused', filesOfBannedFormats);
testHostileFiles('what is no disk is refused', filesThatAreNoDisks);
