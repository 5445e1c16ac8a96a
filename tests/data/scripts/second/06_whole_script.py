import smtplib

# SMTP server configuration (Gmail)
smtp_server = "smtp.gmail.com"
smtp_port = 587

# Sender's email and password
sender_email = "your_email@gmail.com"
password = "your_password"

# Receiver's email
receiver_email = "receiver_email@example.com"

# Email subject and body
subject = "Test Email"
body = "This is a test email sent from Python!"

# Create the email content
message = f"Subject: {subject}\n\n{body}"

# Establish the connection to the SMTP server
server = smtplib.SMTP(smtp_server, smtp_port)
server.starttls()  # Start TLS encryption

# Login to the server
server.login(sender_email, password)

# Send the email
server.sendmail(sender_email, receiver_email, message)

# Quit the server connection
server.quit()

print("Email sent successfully!")
