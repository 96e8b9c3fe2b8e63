import { describeFullPath } from './full-path.ts';

describeFullPath(14, 'directory');
describeFullPath(14, 's3');
