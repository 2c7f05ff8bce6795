// The official SDKs, on a job: {"urls": {sdk: url}, "calls": [{sdk, api, model, name, scenario, stream, events, retries}]}
//
// Calls of one SDK follow one another, SDKs work side by side. `name` (as the session) and `scenario` go along as headers,
// the same at every attempt. `events` leaves the stream after so many, as the SDK wants it left; `retries` is how often it
// may try again. The hosts of the urls are the providers' own; they all lead here. When all SDKs are loaded it says "ready"
// and waits for a line.
import dns from 'node:dns';

const job = JSON.parse(process.argv[2]);

dns.lookup = (host, options, done) => {
  const callback = done ?? options;
  if (options?.all) callback(null, [{address: '127.0.0.1', family: 4}]);
  else callback(null, '127.0.0.1', 4);
};

// Each call asks something else, at every attempt the same: a call like one that failed would be its repetition.
const textOf = (call) => `say something about ${call.name}`;
const messagesOf = (call) => [{role: 'user', content: textOf(call)}];
// Members with the names of others.
const schema = {
  type: 'object',
  properties: {city: {type: 'string'}, model: {type: 'string'}, stream: {type: 'boolean'}},
  required: ['city'],
};
const functionTool = {
  type: 'function',
  function: {name: 'get_weather', description: '{"usage":{"prompt_tokens":7}}', parameters: schema},
};

const headersOf = (call) => ({'x-session-id': call.name, 'x-scenario': call.scenario});

// Reads a stream, or as many of its events as the call wants.
async function read(call, stream, leave) {
  let seen = 0;
  for await (const event of stream) {
    void event;
    if (call.events !== undefined && ++seen >= call.events) {
      await leave();
      break;
    }
  }
}

// An SDK: url → {api: call → its answer, read to the end or left}.
const SDKS = {
  async openai(url) {
    const {default: OpenAI} = await import('openai');
    const client = (call) => new OpenAI({apiKey: 'sk-proj-e2e', baseURL: url + '/v1', maxRetries: call.retries});
    const run = (create) => async (call) => {
      const answer = await create(client(call), {headers: headersOf(call)}, call, messagesOf(call));
      if (call.stream) await read(call, answer, () => answer.controller.abort());
    };
    return {
      chat: run((c, options, {model, stream, tools}, messages) => c.chat.completions.create(
          {model, messages, stream, ...(stream && {stream_options: {include_usage: true}}),
            ...(tools && {tools: [functionTool]})}, options)),
      responses: run((c, options, {model, stream}, messages) => c.responses.create({model, input: messages, stream}, options)),
      completions: run((c, options, {model, stream}, [{content}]) => c.completions.create(
          {model, prompt: content, stream, ...(stream && {stream_options: {include_usage: true}})}, options)),
      embeddings: run((c, options, {model}, [{content}]) => c.embeddings.create({model, input: [content, content]}, options)),
    };
  },

  async anthropic(url) {
    const {default: Anthropic} = await import('@anthropic-ai/sdk');
    return {
      messages: async (call) => {
        const client = new Anthropic({apiKey: 'sk-ant-api03-e2e', baseURL: url, maxRetries: call.retries});
        const body = {model: call.model, max_tokens: 99, messages: messagesOf(call),
          ...(call.tools && {tools: [{name: 'get_weather', input_schema: schema}]})};
        const options = {headers: headersOf(call)};
        if (!call.stream) return client.messages.create(body, options);
        const stream = client.messages.stream(body, options);
        await read(call, stream, () => stream.abort());
      },
    };
  },

  async google(url) {
    const {GoogleGenAI} = await import('@google/genai');
    const client = new GoogleGenAI({apiKey: 'AIzaSyA-e2e-000000000000000000000000000', httpOptions: {baseUrl: url}});
    const optionsOf = (call, signal) => ({
      abortSignal: signal,
      httpOptions: {headers: headersOf(call), retryOptions: {attempts: call.retries + 1, initialDelay: 0.2, jitter: 0}},
    });
    return {
      generate: async (call) => {
        const abort = new AbortController();
        const tools = call.tools ? [{functionDeclarations: [{name: 'get_weather', parametersJsonSchema: schema}]}] : undefined;
        const asked = {model: call.model, contents: textOf(call), config: {...optionsOf(call, abort.signal), tools}};
        if (!call.stream) return client.models.generateContent(asked);
        await read(call, await client.models.generateContentStream(asked), () => abort.abort());
      },
      embeddings: (call) => client.models.embedContent({model: call.model, contents: textOf(call), config: optionsOf(call)}),
    };
  },

  async cohere(url) {
    const {CohereClientV2} = await import('cohere-ai');
    const client = new CohereClientV2({token: 'cohere-e2e-token', baseUrl: url, environment: url});
    const optionsOf = (call) => ({headers: headersOf(call), maxRetries: call.retries});
    return {
      chat: async (call) => {
        const asked = {model: call.model, messages: messagesOf(call), ...(call.tools && {tools: [functionTool]})};
        if (!call.stream) return client.chat(asked, optionsOf(call));
        const abort = new AbortController();
        await read(call, await client.chatStream(asked, {...optionsOf(call), abortSignal: abort.signal}),
            () => abort.abort());
      },
      embeddings: (call) => client.embed(
          {model: call.model, texts: [textOf(call)], inputType: 'search_query', embeddingTypes: ['float']}, optionsOf(call)),
      rerank: (call) => client.rerank({model: call.model, query: textOf(call), documents: ['x', 'y']}, optionsOf(call)),
    };
  },

  async mistral(url) {
    const {Mistral} = await import('@mistralai/mistralai');
    const client = new Mistral({apiKey: 'mistral-e2e-key', serverURL: url});
    const backoff = {initialInterval: 100, maxInterval: 1500, exponent: 1.5, maxElapsedTime: 20000};
    const optionsOf = (call, signal) => ({
      retries: call.retries ? {strategy: 'backoff', backoff, retryConnectionErrors: true} : {strategy: 'none'},
      fetchOptions: {headers: headersOf(call), signal},
    });
    return {
      chat: async (call) => {
        const asked = {model: call.model, messages: messagesOf(call), ...(call.tools && {tools: [functionTool]})};
        if (!call.stream) return client.chat.complete(asked, optionsOf(call));
        const abort = new AbortController();
        await read(call, await client.chat.stream(asked, optionsOf(call, abort.signal)), () => abort.abort());
      },
      embeddings: (call) => client.embeddings.create({model: call.model, inputs: [textOf(call)]}, optionsOf(call)),
    };
  },

  async groq(url) {
    const {default: Groq} = await import('groq-sdk');
    return {
      chat: async (call) => {
        const client = new Groq({apiKey: 'gsk_e2e', baseURL: url, maxRetries: call.retries});
        const answer = await client.chat.completions.create(
            {model: call.model, messages: messagesOf(call), stream: call.stream, ...(call.tools && {tools: [functionTool]})},
            {headers: headersOf(call)});
        if (call.stream) await read(call, answer, () => answer.controller.abort());
      },
    };
  },

  async ollama(url) {
    const {Ollama} = await import('ollama');
    const client = (call) => new Ollama({host: url, headers: headersOf(call)});
    return {
      chat: async (call) => {
        const ollama = client(call);
        const answer = await ollama.chat(
            {model: call.model, messages: messagesOf(call), stream: call.stream, ...(call.tools && {tools: [functionTool]})});
        if (call.stream) await read(call, answer, () => answer.abort());
      },
      embeddings: (call) => client(call).embed({model: call.model, input: textOf(call)}),
    };
  },

  bedrock: (url) => bedrock(url),

  async bedrock_http1(url) {
    const {NodeHttpHandler} = await import('@smithy/node-http-handler');
    return bedrock(url, {requestHandler: new NodeHttpHandler()});
  },
};

// The SDK's own choice is HTTP/2.
async function bedrock(url, options = {}) {
  const aws = await import('@aws-sdk/client-bedrock-runtime');
  const clientOf = (call) => {
    const client = new aws.BedrockRuntimeClient({
      region: 'us-east-1',
      endpoint: url,
      credentials: {accessKeyId: 'ASIAE2E0000000000000', secretAccessKey: 'x'.repeat(40), sessionToken: 'y'.repeat(80)},
      maxAttempts: call.retries + 1,
      ...options,
    });
    client.middlewareStack.add((next) => (asked) => {
      Object.assign(asked.request.headers, headersOf(call));
      return next(asked);
    }, {step: 'build'});
    return client;
  };
  const run = (whole, streamed, part) => async (call) => {
    const client = clientOf(call);
    const abort = new AbortController();
    const answer = await client.send((call.stream ? streamed : whole)(call), {abortSignal: abort.signal});
    if (call.stream) await read(call, answer[part], () => client.destroy());
    client.destroy();
  };
  const asked = (call) => ({
    modelId: call.model,
    messages: [{role: 'user', content: [{text: textOf(call)}]}],
    ...(call.tools && {toolConfig: {tools: [{toolSpec: {name: 'get_weather', inputSchema: {json: schema}}}]}}),
  });
  const claude = (call) => ({
    modelId: call.model,
    contentType: 'application/json',
    body: JSON.stringify({anthropic_version: 'bedrock-2023-05-31', max_tokens: 99, messages: messagesOf(call)}),
  });
  return {
    converse: run((call) => new aws.ConverseCommand(asked(call)), (call) => new aws.ConverseStreamCommand(asked(call)),
        'stream'),
    invoke: run((call) => new aws.InvokeModelCommand(claude(call)),
        (call) => new aws.InvokeModelWithResponseStreamCommand(claude(call)), 'body'),
  };
}

// What came of each call, for whoever wonders why a book is short.
async function work(apis, calls) {
  for (const call of calls) {
    let end = 'ok';
    try {
      await apis[call.api](call);
    } catch (error) {
      end = `${error?.name}: ${error?.message}`;
    }
    console.log(JSON.stringify({name: call.name, end}));
  }
}

const sdks = [...new Set(job.calls.map((call) => call.sdk))];
const apis = await Promise.all(sdks.map((sdk) => SDKS[sdk](job.urls[sdk])));
console.log('ready');
await new Promise((resolve) => process.stdin.once('data', resolve));
await Promise.all(sdks.map((sdk, i) => work(apis[i], job.calls.filter((call) => call.sdk === sdk))));
process.exit(0);  // whatever an SDK keeps open
