"""The managers of namespaces that need a server or a database, each in the module of its name.

Law: importing one needs no driver; making one does.
"""
