// graphile-worker with the preset of its performance page: 24 jobs at once, a local queue of 500, completions in batches.
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { jobs, setting, startLatency } from './measure.mjs';

const NAME = 'bench';
const AT_ONCE = 24;
const pgPool = new pg.Pool({ connectionString: setting('POSTGRES'), max: 40 });
pgPool.on('error', (error) => console.error(error.message));
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ pgPool, logger });
await utils.migrate();

const queue = {
  add: (job) => utils.addJob(NAME, job),
  addMany: (many) => utils.addJobs(many.map((payload) => ({ identifier: NAME, payload }))),
  async work(perform, what) {
    const size = what === 'drain' ? 500 : AT_ONCE + 1;
    const worker = { concurrentJobs: AT_ONCE, localQueue: { size }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
    const taskList = { [NAME]: async (job) => perform(job) };
    const runner = await run({ preset: { worker }, pgPool, logger, noHandleSignals: true, taskList });
    return () => runner.stop();
  },
  /** A job that was performed is only done when its row is gone. */
  async settled() {
    const left = async () => (await pgPool.query('select 1 from graphile_worker._private_jobs limit 1')).rowCount;
    while (await left()) await new Promise((wake) => setTimeout(wake, 2));
  },
};
await jobs(queue);
await startLatency(queue);
process.exit(0);
