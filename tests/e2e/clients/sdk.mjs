// The official openai and @anthropic-ai/sdk packages. Takes the job of http_client.py; each call's path chooses the SDK,
// `events` aborts the stream after so many.
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import {bodyOf, hang, job, waitAtTheGate} from './job.mjs';

const openai = new OpenAI({apiKey: 'sk-e2e-openai', baseURL: job.url + '/v1', maxRetries: 0});
const anthropic = new Anthropic({apiKey: 'sk-ant-e2e', baseURL: job.url, maxRetries: 0});

const create = (path) => ({
  '/v1/chat/completions': (body, options) => openai.chat.completions.create(body, options),
  '/v1/completions': (body, options) => openai.completions.create(body, options),
  '/v1/responses': (body, options) => openai.responses.create(body, options),
  '/v1/embeddings': (body, options) => openai.embeddings.create(body, options),
  '/v1/messages': (body, options) => anthropic.messages.create(body, options),
})[path];

for (const [number, call] of job.calls.entries()) {
  await waitAtTheGate(number);
  try {
    const result = await create(call.path)(bodyOf(call), {headers: call.headers ?? {}});
    if (!call.body.stream) continue;
    let seen = 0;
    for await (const event of result) {
      void event;
      if (call.events !== undefined && ++seen >= call.events) {
        await hang(call);
        result.controller.abort();
        break;
      }
    }
  } catch (error) {
    // An error status or an error event is what some calls are about; the server's book says what was expected.
    if (!(error instanceof OpenAI.APIError) && !(error instanceof Anthropic.APIError)) throw error;
  }
}
