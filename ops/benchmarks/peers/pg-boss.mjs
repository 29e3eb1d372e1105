// pg-boss with what its documentation offers for speed: batches of 100, four workers, LISTEN/NOTIFY.
import { PgBoss } from 'pg-boss';
import { jobs, setting, startLatency } from './measure.mjs';

const NAME = 'bench';
const boss = new PgBoss({ connectionString: setting('POSTGRES'), max: 20, useListenNotify: true, supervise: false, schedule: false });
boss.on('error', (error) => console.error(error.message));
await boss.start();
await boss.createQueue(NAME, { notify: true });

const queue = {
  add: (job) => boss.send(NAME, job),
  addMany: (many) => boss.insert(NAME, many.map((data) => ({ data }))),
  async work(perform, what) {
    const batchSize = what === 'drain' ? 100 : 10;
    const options = { batchSize, localConcurrency: 4, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
    await boss.work(NAME, options, async (batch) => batch.forEach((job) => perform(job.data)));
    return () => boss.offWork(NAME, { wait: true });
  },
};
await jobs(queue);
await startLatency(queue);
process.exit(0);
