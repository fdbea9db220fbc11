/** For our tests and our users': a real server, both ends of a stream, a backend, a store that fails when told, the stores' contract. */
export * as BatchFixture from "./BatchFixture.ts"
export * as ConnectionJournalContract from "./ConnectionJournalContract.ts"
export * as EventStoreContract from "./EventStoreContract.ts"
export * as FaultyStore from "./FaultyStore.ts"
export * as StreamClient from "./StreamClient.ts"
export * as TestBackend from "./TestBackend.ts"
export * as TestServer from "./TestServer.ts"
export * as TestSocket from "./TestSocket.ts"
