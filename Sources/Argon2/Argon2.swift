// Argon2 holds the safe Swift side of libargon2: password hashes as PHC strings. It knows nothing about users.
