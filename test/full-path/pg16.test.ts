import { describeFullPath } from './full-path.ts';

describeFullPath(16, 'directory');
describeFullPath(16, 's3');
