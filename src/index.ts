/** What both sides share: values, laws and errors of sessions, events and connections. */
export * as AppendBody from "./domain/AppendBody.ts"
export * as Api from "./domain/Api.ts"
export * as Connection from "./domain/Connection.ts"
export * as Event from "./domain/Event.ts"
export * as ReplayPlan from "./domain/ReplayPlan.ts"
export * as Session from "./domain/Session.ts"
export * as SessionError from "./domain/SessionError.ts"
