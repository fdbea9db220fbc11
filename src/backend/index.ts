/** The door for the application behind the gateway: how it knows a callback of ours. */
export * as CallbackSignature from "../callback/CallbackSignature.ts"
