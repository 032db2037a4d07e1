"""A small Falco: loads ``libtfdrift.so`` through Falco's plugin interface and evaluates Falco rules files.

It stands in for Falco where there is none (``tfdrift run``).  libsinsp's behaviour is followed to the letter, oddities
included, and the tests compare both over generated conditions.
"""
