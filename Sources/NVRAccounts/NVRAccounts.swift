// NVRAccounts answers who is asking and what they may do: users, passwords, sessions, API keys. It knows nothing about HTTP.
