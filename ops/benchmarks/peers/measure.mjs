// What every peer's program needs: its settings, callers, a steady pace, percentiles, and the lines that the contest reads
// (`begin PHASE`, `end PHASE {figures}`).

export const setting = (name) => {
  const value = process.env[`BENCH_${name}`];
  if (value === undefined) throw new Error(`BENCH_${name} is not set; ./ops/bench sets it`);
  return value;
};
export const count = (name) => Number(setting(name));

/** Milliseconds on the one clock of this process. */
export const clock = () => performance.now();

const say = (line) => process.stdout.write(`${line}\n`);

/** Measures how many units of work a phase does in a second. */
export async function throughput(phase, units, work) {
  say(`begin ${phase}`);
  const began = clock();
  await work();
  say(`end ${phase} ${JSON.stringify({ count: units, per_second: units / ((clock() - began) / 1000) })}`);
}

/** Measures a phase whose work answers with latencies in milliseconds. */
export async function latencies(phase, work) {
  say(`begin ${phase}`);
  const sorted = (await work()).toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  say(`end ${phase} ${JSON.stringify({ count: sorted.length, p50: at(0.5), p99: at(0.99) })}`);
}

/** Does `total` units, each caller the next as soon as its last one is done. */
export async function byCallers(total, one, callers = count('CALLERS')) {
  let next = 0;
  const caller = async () => {
    while (next < total) await one(next++);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** Begins `rate` units a second for so many seconds, whether or not the earlier ones are done; ends when all are. */
export async function atAPace(rate, seconds, one) {
  const began = clock();
  const all = [];
  while (all.length < rate * seconds) {
    const due = Math.min(rate * seconds, 1 + Math.floor(((clock() - began) * rate) / 1000));
    while (all.length < due) all.push(one(all.length));
    await new Promise((wake) => setTimeout(wake, 1));
  }
  await Promise.all(all);
}

/** Resolves when it was counted down. */
export function countdown(from) {
  let open;
  const done = new Promise((resolve) => (open = resolve));
  return { done, by: (n = 1) => (from -= n) <= 0 && open() };
}

/** A job queue's whole contest. `queue` knows how to add one, add many, and work; `work` resolves with a way to stop. */
export async function jobs(queue) {
  const singles = count('ENQUEUES');
  const backlog = count('BACKLOG');
  await throughput('enqueue', singles, () => byCallers(singles, (number) => queue.add({ number })));
  for (let from = 0; from < backlog; from += 500) {
    const size = Math.min(500, backlog - from);
    await queue.addMany(Array.from({ length: size }, (_, n) => ({ number: singles + from + n })));
  }
  let stop;
  await throughput('drain', singles + backlog, async () => {
    const left = countdown(singles + backlog);
    stop = await queue.work(() => left.by(), 'drain');
    await left.done;
    await queue.settled?.();
  });
  await stop();
}

/** From the acknowledged enqueue to the start of the job, at 50 and 200 a second; below zero where the job began before. */
export async function startLatency(queue) {
  for (const rate of [50, 200]) {
    const seconds = count('SECONDS');
    const [acknowledged, began] = [new Map(), new Map()];
    const left = countdown(rate * seconds);
    const stop = await queue.work((job) => {
      began.set(job.number, clock());
      left.by();
    }, 'start');
    await new Promise((wake) => setTimeout(wake, 1000));
    await latencies(`start${rate}`, async () => {
      await atAPace(rate, seconds, async (number) => {
        await queue.add({ number });
        acknowledged.set(number, clock());
      });
      await left.done;
      return [...acknowledged].map(([number, at]) => began.get(number) - at);
    });
    await stop();
  }
}

/** A workflow engine's whole contest: `three` runs one workflow of three durable steps to its end. */
export async function workflows(three) {
  await byCallers(50, (number) => three(-1 - number), 8);
  const steps = count('STEPS');
  await throughput('steps32', steps, () => byCallers(steps, three));
  const took = [];
  await latencies('paced', async () => {
    await atAPace(count('RATE'), count('SECONDS'), async (number) => {
      const began = clock();
      await three(steps + number);
      took.push(clock() - began);
    });
    return took;
  });
}
