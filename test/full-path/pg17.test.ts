import { describeFullPath } from './full-path.ts';

describeFullPath(17, 'directory');
describeFullPath(17, 's3');
