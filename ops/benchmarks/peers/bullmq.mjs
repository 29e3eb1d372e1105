// BullMQ on Redis: 50 jobs at once, finished jobs removed.
import { Queue, Worker } from 'bullmq';
import { jobs, setting } from './measure.mjs';

const NAME = 'bench';
const { hostname: host, port } = new URL(setting('REDIS'));
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const bull = new Queue(NAME, { connection, defaultJobOptions: { removeOnComplete: true } });
await bull.obliterate({ force: true });

await jobs({
  add: (data) => bull.add(NAME, data),
  addMany: (many) => bull.addBulk(many.map((data) => ({ name: NAME, data }))),
  async work(perform) {
    const worker = new Worker(NAME, async () => {}, { connection, concurrency: 50 });
    worker.on('completed', (job) => perform(job.data));
    return () => worker.close();
  },
});
process.exit(0);
