// A synthetic-load agent at rest: it registers with the dashboard every few seconds. The metric `registrations` exists
// from the first one on, which is what the readiness probe asks for. A bundle that cannot be read ends it at once.
import http from 'k6/http';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { sleep } from 'k6';

const EVERY = 5;
const GIVE_UP = 12;
const registrations = new Counter('registrations');
const bundle = __ENV.SSL_CERT_FILE ? open(__ENV.SSL_CERT_FILE) : 'BEGIN CERTIFICATE';
const body = JSON.stringify({ name: __ENV.POD_NAME, kind: __ENV.AGENT_KIND, address: __ENV.POD_IP });
const request = {
  headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${__ENV.AGENT_API_TOKEN}` },
  timeout: '4s',
  responseType: 'none',
};
let missed = 0;
let known = false;

export const options = {
  insecureSkipTLSVerify: __ENV.REJECT_INVALID_CERTS !== 'true',
  discardResponseBodies: true,
  systemTags: ['status'],
  scenarios: { register: { executor: 'constant-vus', vus: 1, duration: '8760h', gracefulStop: '0s' } },
};

export default function () {
  if (!bundle.includes('BEGIN CERTIFICATE')) {
    exec.test.abort(`${__ENV.SSL_CERT_FILE} holds no certificate`);
  }
  const answer = http.post(`${__ENV.DASHBOARD_URL}/api/agents`, body, request);
  if (answer.status === 200) {
    registrations.add(1);
    known = true;
    missed = 0;
  } else if (known && ++missed >= GIVE_UP) {
    exec.test.abort(`not registered for ${GIVE_UP * EVERY} s: the dashboard says ${answer.status} ${answer.error}`);
  }
  sleep(known ? EVERY : 0.5);
}
