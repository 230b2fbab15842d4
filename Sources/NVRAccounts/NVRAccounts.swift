// NVRAccounts
