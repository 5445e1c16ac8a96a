import smtplib

# Create SMTP connection to Gmail using STARTTLS
server = smtplib.SMTP("smtp.gmail.com", port=587)

# Upgrade connection to secure encrypted channel
server.starttls()

# Login using email + APP PASSWORD
server.login("your_email@gmail.com", "YOUR_16_CHAR_APP_PASSWORD")

# Send email
server.sendmail(
    from_addr="your_email@gmail.com",
    to_addrs="recipient@example.com",
    msg="Subject: Test Email\n\nThis email was sent using Python."
)

# Close connection
server.quit()
