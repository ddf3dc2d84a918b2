stoic eval --fomat json; echo $?
stoic inject --trails=5; echo $?
stoic inject --zzzzzzzz; echo $?
stoic info -x; echo $?
stoic info -vx; echo $?
