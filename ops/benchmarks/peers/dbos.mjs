// DBOS Transact: workflows of three durable steps, started directly.
import { DBOS } from '@dbos-inc/dbos-sdk';
import { setting, workflows } from './measure.mjs';

const three = DBOS.registerWorkflow(
  async (number) => {
    const first = await DBOS.runStep(async () => number + 1, { name: 'first' });
    const second = await DBOS.runStep(async () => first + 1, { name: 'second' });
    return DBOS.runStep(async () => second + 1, { name: 'third' });
  },
  { name: 'three' },
);
DBOS.setConfig({ name: 'bench', systemDatabaseUrl: setting('POSTGRES'), systemDatabasePoolSize: 20, logLevel: 'error', runAdminServer: false });
await DBOS.launch();
await workflows(three);
await DBOS.shutdown();
process.exit(0);
