stoic inejct; echo $?
stoic frobnicate; echo $?
stoic help frobnicate; echo $?
