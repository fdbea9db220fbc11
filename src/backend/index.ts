/** The door for layers of the application behind the gateway. It has none yet. */
export {}
