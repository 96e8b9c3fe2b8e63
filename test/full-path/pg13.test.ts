import { describeFullPath } from './full-path.ts';

describeFullPath(13, 'directory');
describeFullPath(13, 's3');
