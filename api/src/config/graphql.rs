//! What the GraphQL endpoint shows of itself.
//!
//! Reads `PULSO_INTROSPECTION`, `PULSO_SDL_PUBLIC`, `PULSO_GRAPHIQL`.

use super::setting::settings;
use super::value::choice;

settings! {
    /// What the GraphQL endpoint shows of itself.
    GraphqlDoor, "GraphQL";

    /// Who may introspect the schema: authenticated, public, or off.
    "introspection" introspection: Introspection = Introspection::Authenticated;

    /// Serve the schema at /schema.graphql without a credential.
    "sdl_public" sdl_public: bool = true;

    /// Show the query explorer to browsers at /graphql.
    "graphiql" graphiql: bool = true;
}

choice! {
    /// Who may introspect the schema.
    Introspection { Authenticated = "authenticated", Public = "public", Off = "off", }
}
