import { describeFullPath } from './full-path.ts';

describeFullPath(18, 'directory');
describeFullPath(18, 's3');
