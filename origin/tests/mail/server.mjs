// A mail server for the tests beside it: the real protocol, as difficult as its argument says, a JSON object:
//   certificate, key  PEM; without them there is no TLS
//   implicitTls       TLS from the first byte, instead of STARTTLS
//   user, password    mail is taken from nobody else
//   greylist          how many recipients are turned away for now before one is taken
//   refuse            how many recipients are turned away for good before one is taken
//   hang              how many are not even greeted
//   hangAfterData     how many get no answer to the mail they have handed over
//   dropAfterData     how many lose the connection instead of that answer
// It writes {"port": …} and then one line of JSON for each connection and for each mail it took. It ends with its
// standard input.
import { SMTPServer } from "smtp-server";

const wish = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const refusal = (responseCode, message) => Object.assign(new Error(message), { responseCode });
// Whether this is still one of the first so many.
const counts = {};
const isAmongFirst = (name) => {
  counts[name] = (counts[name] ?? 0) + 1;
  return counts[name] <= (wish[name] ?? 0);
};

const server = new SMTPServer({
  secure: Boolean(wish.implicitTls),
  cert: wish.certificate,
  key: wish.key,
  hideSTARTTLS: !wish.certificate,
  authOptional: !wish.user,
  // A server as careless as this one is asked for by a test of what it is not told.
  allowInsecureAuth: true,
  disabledCommands: wish.user ? [] : ["AUTH"],
  disableReverseLookup: true,
  logger: false,
  onConnect(_session, callback) {
    say({ event: "connected" });
    if (!isAmongFirst("hang")) callback();
  },
  onAuth({ username, password }, _session, callback) {
    say({ event: "password" });
    if (username === wish.user && password === wish.password) callback(null, { user: username });
    else callback(refusal(535, "Who are you?"));
  },
  onRcptTo({ address }, _session, callback) {
    if (isAmongFirst("refuse")) return callback(refusal(550, `<${address}>: no such user here`));
    if (isAmongFirst("greylist")) {
      say({ event: "greylisted" });
      return callback(refusal(451, `<${address}>: try again later`));
    }
    callback();
  },
  onData(stream, session, callback) {
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", () => {
      say({
        event: "mail",
        from: session.envelope.mailFrom.address,
        to: session.envelope.rcptTo.map(({ address }) => address),
        secure: Boolean(session.secure),
        user: session.user ?? null,
        helo: session.hostNameAppearsAs,
        text: Buffer.concat(chunks).toString("utf8"),
      });
      if (isAmongFirst("hangAfterData")) return;
      if (isAmongFirst("dropAfterData")) return drop(session);
      callback();
    });
  },
});
const drop = ({ id }) => {
  for (const connection of server.connections) if (connection.id === id) connection._socket.destroy();
};
// A client that will not go on is what some tests are about.
server.on("error", () => say({ event: "client error" }));
server.listen(0, "127.0.0.1", () => say({ port: server.server.address().port }));
process.stdin.resume().on("end", () => process.exit());
