'use strict';
// What nodemailer does in each act; see __init__.py here. Prints one line of JSON, except in `process`, which is timed
// from outside.
const fs = require('fs');
const job = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const nodemailer = require(job.library);
const { place, rich } = job;

const options = more => Object.assign(
    { host: place.host, port: place.port, name: 'bench.example', secure: place.security === 'tls' },
    place.security === 'starttls' ? { requireTLS: true } : { ignoreTLS: true },
    place.ca_file ? { tls: { ca: fs.readFileSync(place.ca_file) } } : {},
    place.login ? { auth: { user: place.login[0], pass: place.login[1] } } : {},
    more
);
const pool = connections => nodemailer.createTransport(
    options({ pool: true, maxConnections: connections, maxMessages: Infinity })
);

const memory = () => Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
const cpu = () => { const used = process.cpuUsage(); return (used.user + used.system) / 1e6; };
const now = () => Number(process.hrtime.bigint()) / 1e9;
const clock = {};
const start = () => Object.assign(clock, { memory: memory(), cpu: cpu(), start: now() });
const mark = sent => Object.assign(clock, { sent, mark: now() });
const report = () => {
    const end = now();
    const seen = { wall: end - clock.start, cpu: cpu() - clock.cpu, memory: memory(), memory_before: clock.memory };
    if (clock.mark) Object.assign(seen, { sending: end - clock.mark, sent: clock.sent });
    console.log(JSON.stringify(seen));
};

const envelope = { from: job.sender, to: [job.recipient] };
const numbered = number => Buffer.from(job.finished.replaceAll('000000', String(number).padStart(6, '0')), 'latin1');
const finished = () => {
    const first = Array.from({ length: Math.min(job.messages, job.different) }, (_, number) => numbered(number));
    return number => ({ envelope, raw: first[number % first.length] });
};
const note = number => ({
    from: `Ada <${job.sender}>`, to: `Grace <${job.recipient}>`, subject: `${job.subject} ${number}`, text: job.body,
});
const small = { from: job.sender, to: job.recipient, subject: 'Hello', text: job.small };

// Twice as many messages wait in the pool as it has connections, as with a program that takes them from somewhere.
async function send(message) {
    const transport = pool(job.connections);
    let next = 0;
    if (job.from_open) { await transport.sendMail(message(next++)); mark(1); }
    const work = async () => { while (next < job.messages) await transport.sendMail(message(next++)); };
    await Promise.all(Array.from({ length: job.connections * 2 }, work));
    transport.close();
}

const acts = {
    finished: async () => { const message = finished(); start(); await send(message); },
    composed: async () => { start(); await send(note); },
    attached: async () => {
        start();
        const attachments = [{ filename: 'file.bin', path: job.file }];
        await nodemailer.createTransport(options()).sendMail({ ...small, subject: 'A large file', attachments });
    },
    addressed: async () => {
        start();
        await nodemailer.createTransport(options()).sendMail({ ...small, to: job.addresses });
    },
    anew: async () => {
        const message = finished();
        start();
        for (let i = 0; i < job.messages; i++) await nodemailer.createTransport(options()).sendMail(message(i));
    },
    built: async () => {
        const Composer = composer(), content = Buffer.from(rich.file, 'hex');
        const person = ([name, address]) => ({ name, address });
        let octets;
        start();
        for (let i = 0; i < job.messages; i++) {
            const message = new Composer({
                from: person(rich.sender), to: person(rich.recipient), newline: 'windows', subject: `${rich.subject} ${i}`,
                text: rich.text, html: rich.html,
                attachments: [{ filename: rich.name, content, contentType: 'application/pdf' }],
            });
            octets = await new Promise((done, fail) => message.compile().build((e, all) => e ? fail(e) : done(all)));
        }
        fs.writeFileSync(job.sample, octets);
    },
    process: () => nodemailer.createTransport(options()).sendMail(small),
};

function composer() {
    for (const place of ['lib/mail-composer', 'dist/cjs/mail-composer'])
        try {
            const found = require(`${job.library}/${place}`);
            return found.default || found.MailComposer || found;
        } catch (e) { if (e.code !== 'MODULE_NOT_FOUND') throw e; }
    throw new Error('nodemailer has no mail composer where it was');
}

acts[job.act]().then(() => { if (job.act !== 'process') report(); })
    .catch(error => { console.error(error); process.exit(1); });
