// A certified provider of OpenID Connect for the tests: whoever types a name into its form is signed
// in under it. What is to be said of people, and which clients there are, comes as JSON in the
// variable SETTINGS; the address is the first line printed. POST /test/rotate changes its keys.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { clients, people, claimsInToken } = JSON.parse(process.env.SETTINGS);

const signingKey = () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomUUID() };
};

const made = (issuer) =>
  new Provider(issuer, {
    clients,
    jwks: { keys: [signingKey()] },
    cookies: { keys: ["only for tests"] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    conformIdTokenClaims: !claimsInToken,
    pkce: { required: () => true },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...(people[id] ?? { email: id, email_verified: true }) }),
    }),
  });

let answer = () => {};
const server = createServer((request, response) => {
  if (request.method === "POST" && request.url === "/test/rotate") {
    answer = made(issuer).callback();
    response.end();
    return;
  }
  answer(request, response);
});
let issuer;
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  answer = made(issuer).callback();
  console.log(issuer);
});
// Ends with whoever started it.
process.stdin.on("end", () => process.exit()).resume();
