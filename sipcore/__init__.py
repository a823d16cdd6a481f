"""Sans-IO SIP: messages, transactions, dialogs and sessions as bytes in, bytes out, time as an argument."""
