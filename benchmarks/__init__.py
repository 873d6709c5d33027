"""Everything side by side: one machine, one broker, one run.

__main__     the command line: which parts, which broker, full or quick
brokers      the broker to measure on
events       events of a given size, and topics full of them
processes    starts a measured process and takes its report
rounds       runs contestants in turn, again and again: A B C A B C …
check        says whether a quick run slipped by half
parts/       what is measured, a module a part
workers/     what runs in a process of its own, and reports on itself
peers/       the same work by other means: Go, Java, a plain loop, a framework
exported     the model as peers read it, and whether they computed what it says
toolchains   builds those that are not written in Python
verdict      what was asked for, held against what was measured
report       docs/performance.md and its charts
"""
