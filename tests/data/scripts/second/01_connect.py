import smtplib

# Establishing a connection to an SMTP server
server = smtplib.SMTP('smtp.gmail.com', 587)  # Connect to Gmail SMTP server
