import { describeFullPath } from './full-path.ts';

describeFullPath(15, 'directory');
describeFullPath(15, 's3');
